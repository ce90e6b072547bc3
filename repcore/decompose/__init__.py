"""Complete reducibility: isotypic components, irreducible representations, invariant forms, Haar means."""
