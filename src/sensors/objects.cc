// SPDX-License-Identifier: Apache-2.0
// The bytes of every BPF object: the one place that includes skeletons.
#include "bpf/abi/rules.h"

#include "io_uring.bpf.h"
#include "io_uring.skel.h"
#include "process.bpf.h"
#include "process.skel.h"
#include "sockets.bpf.h"
#include "sockets.skel.h"
#include "sockets_exits.bpf.h"
#include "sockets_exits.skel.h"
#include "sockets_plain.bpf.h"
#include "sockets_plain.skel.h"
#include "tasks.bpf.h"
#include "tasks.skel.h"
#include "tls.bpf.h"
#include "tls.skel.h"

namespace waggle::bpf {

const void* io_uring(std::size_t* size) { return io_uring_bpf::elf_bytes(size); }
const void* process(std::size_t* size) { return process_bpf::elf_bytes(size); }
const void* sockets(std::size_t* size) { return sockets_bpf::elf_bytes(size); }
const void* sockets_exits(std::size_t* size) { return sockets_exits_bpf::elf_bytes(size); }
const void* sockets_plain(std::size_t* size) { return sockets_plain_bpf::elf_bytes(size); }
const void* tasks(std::size_t* size) { return tasks_bpf::elf_bytes(size); }
const void* tls(std::size_t* size) { return tls_bpf::elf_bytes(size); }

}  // namespace waggle::bpf
