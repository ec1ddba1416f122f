"""Network bodies: what turns an observation into features; a file each."""
