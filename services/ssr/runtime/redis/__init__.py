"""Redis, or Valkey: one server, a master found by its sentinels, or a cluster; its failures as ours; waiting for it."""
