"""Networks: bodies, their parameters as one flat vector, distributions, acting."""
