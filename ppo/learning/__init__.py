"""What the algorithms share: surrogates, advantages, critics, Adam, filters, minibatches."""
