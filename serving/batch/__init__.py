"""How are files of features scored into files of scores, on this machine or on a cluster?

The same model says the same of the same features as the service does: whatever the engine, rows go through one function
(:class:`serving.batch.frames.FrameScorer`).
"""
