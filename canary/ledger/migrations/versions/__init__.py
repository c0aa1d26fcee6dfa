"""One file a version. A released one is never changed."""
