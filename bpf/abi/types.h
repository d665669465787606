// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Fixed-width types for headers that BPF C (gnu23) and C++ both compile.
#pragma once

#include <linux/types.h>
