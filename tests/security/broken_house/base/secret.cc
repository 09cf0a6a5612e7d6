// SPDX-License-Identifier: Apache-2.0
// Breaks a rule on purpose; the test security_rules_can_fail wants it found.
bool equal(const char* a, const char* b) { return strcmp(a, b) == 0; }
