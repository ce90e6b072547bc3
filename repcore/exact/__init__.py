"""Numbers, number fields and matrices that are never rounded."""
