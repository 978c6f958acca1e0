"""Reading the files of an attempt: `reading.ReadFile` and `listing.ListFiles`."""
