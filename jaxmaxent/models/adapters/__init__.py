"""Networks of other libraries as representations."""
