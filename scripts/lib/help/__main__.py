"""Write the help texts anew: `python -m scripts.lib.help`."""

from scripts.lib.help import COMMANDS, FOLDER, made

for name in COMMANDS:
    (FOLDER / f"{name}.txt").write_text(made(name), "utf-8")
