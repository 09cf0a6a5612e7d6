# SPDX-License-Identifier: Apache-2.0
# ipsec.conf of other daemons to our configuration; appended to the control room's sources.
list(APPEND ESPGATE_CONTROL_SOURCES convert/algorithms.cc convert/convert.cc convert/ipsec_conf.cc)
