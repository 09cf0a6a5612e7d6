# SPDX-License-Identifier: Apache-2.0
"""Lab scenarios with espgated: hosts, peers, traffic, and the counters that have to agree. Runs in the lab, as root."""
