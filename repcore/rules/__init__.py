"""Rules: which weights of a model map what; the same for every framework.

slots (an adapter lists the weights)  +  rules (a user says what they map)  ->  sites (plans, and how to read each weight)
"""
