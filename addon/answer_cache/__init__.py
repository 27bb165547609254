"""Answers that are kept, so that who asks the same again gets them again: whole or streamed, in any format."""
