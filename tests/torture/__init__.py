"""The proofs that nothing is lost, nothing doubled, nothing rewritten. `make torture` runs them all."""
