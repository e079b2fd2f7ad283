"""Files: bytes, JSON, arrays and their checks. Nothing here knows an estimator.

``format`` turns a JSON object and arrays into a file's bytes and back, ``plain`` turns
Python values into JSON and back, ``modules`` a module's weights and its optimizer's state
into arrays and back. ``atomic`` writes a file whole or not at all, ``durable`` so that it
outlives a power cut, and ``checkpoint`` is the file of a training that has not ended.
"""
