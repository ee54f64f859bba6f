"""The lab server: episodes in Postgres, policies and frames as blobs, the live hub, the console."""
