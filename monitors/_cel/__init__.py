"""The language of conditions that nobody foresaw: a part of CEL, read, checked and put in words."""
