# SPDX-License-Identifier: Apache-2.0
# What devices take: its cache, and the order of suites that follows from it; appended to the control room's sources.
list(APPEND ESPGATE_CONTROL_SOURCES offload/device_cache.cc offload/device_file.cc offload/steering.cc)
