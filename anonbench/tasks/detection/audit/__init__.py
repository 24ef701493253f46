"""What a detector missed where nobody knows the truth: a person looks at a random sample and says so."""
