"""The verbs: train, evaluate, predict. Usable without a terminal."""
