"""Runs BPMN: definitions, instances, tasks, decisions, messages, timers, jobs, incidents, the audit chain."""
