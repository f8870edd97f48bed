"""Recognition of the objects of other libraries, one module per library."""
