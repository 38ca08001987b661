"""How do dates of campaigns come into the house? By the calendars beside this file, by CSV and ICS files, by hand."""
