"""Files by their content: examined before anybody may read them, encrypted, told of in the journal.

Empty on purpose: the examiner is started from this folder for every file, and must start quickly.
"""
