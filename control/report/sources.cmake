# SPDX-License-Identifier: Apache-2.0
# The joined SA table and its renderers; appended to the control room's sources.
find_package(prometheus-cpp REQUIRED COMPONENTS core)
list(APPEND ESPGATE_CONTROL_SOURCES report/collect.cc report/daemon.cc report/device_json.cc report/device_known.cc report/device_text.cc report/join.cc report/join_totals.cc report/json_writer.cc report/prometheus.cc report/tar.cc report/top.cc
     report/probe_groups.cc report/probe_json.cc report/probe_text.cc
     report/sa_json.cc report/sa_text.cc report/table.cc report/text_table.cc report/textfile.cc report/views_json.cc
     report/views_text.cc)
list(APPEND ESPGATE_CONTROL_DEPS prometheus-cpp::core)
