"""The versions of the state's tables, one file each."""
