// SPDX-License-Identifier: Apache-2.0
// OpenSSL's memory: private keys, key schedules, states of MACs and of its random generator.
#pragma once

namespace espgate::gateway {

// From now on it lies where secrets lie (base/secret_memory.h). Before OpenSSL has taken any; afterwards, and under a
// sanitizer, which would not see OpenSSL's leaks any more, it does nothing.
void openssl_takes_secret_memory();

}  // namespace espgate::gateway
