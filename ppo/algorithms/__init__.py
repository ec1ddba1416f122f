"""The algorithms: a folder each, with its schema and its learner."""
