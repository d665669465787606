// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Nothing of the processor's is needed where the buffers of a call are known.
#pragma once
