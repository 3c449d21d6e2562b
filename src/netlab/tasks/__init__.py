"""What a batch means: each task builds parts from the config and scores what they do."""
