"""What a person sees of a sweep: progress, status, lists, the closing table."""
