"""Signing in at the board through an identity provider (OpenID Connect): the code flow with PKCE, and nothing else."""
