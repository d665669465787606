// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// The object's one set of constants, filled in before it is loaded.
#pragma once

#include "bpf/abi/rules.h"

const volatile struct wg_settings settings = {};
