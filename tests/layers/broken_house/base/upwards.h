// SPDX-License-Identifier: Apache-2.0
// A wall that is broken on purpose: the layers test must see it.
#pragma once
#include "ike/api.h"
