"""Recorded pools of samples, replayed under any rule without an engine."""
