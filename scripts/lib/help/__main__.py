"""Write the help texts anew: `python -m scripts.lib.help`."""

from scripts.lib.help import file_of, files, made

for name, language in files():
    file_of(name, language).write_text(made(name, language), "utf-8")
