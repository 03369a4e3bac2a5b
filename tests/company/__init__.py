"""A real OpenID provider, and somebody who signs in there."""
