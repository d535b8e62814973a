"""`keys`: the public names of key spaces and mappings."""

load(":key_spaces.bzl", "daily_keys", "dynamic_keys", "hourly_keys", "monthly_keys", "static_keys", "weekly_keys", "yearly_keys")
load(":mappings.bzl", "all_mapping", "fanout_mapping", "latest_mapping", "offset_mapping", "only_mapping", "rollup_mapping", "same_mapping", "window_mapping")

keys = struct(
    all = all_mapping,
    daily = daily_keys,
    dynamic = dynamic_keys,
    fanout = fanout_mapping,
    hourly = hourly_keys,
    latest = latest_mapping,
    monthly = monthly_keys,
    offset = offset_mapping,
    only = only_mapping,
    rollup = rollup_mapping,
    same = same_mapping,
    static = static_keys,
    weekly = weekly_keys,
    window = window_mapping,
    yearly = yearly_keys,
)
