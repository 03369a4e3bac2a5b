"""The guard and the laws it applies; the tables beside it are the configuration that people edit."""
