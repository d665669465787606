// SPDX-License-Identifier: Apache-2.0
// Runs a dynamically linked program with a shadow stack, as C libraries do that know of them
// (Documentation/arch/x86/shstk.rst): shadow_stack PROGRAM ARGUMENT…. A new shadow stack is empty, so nothing that was
// called before may return after it was asked for: the loader is mapped here, and takes the stack as the kernel has
// made it. shadow_stack --return returns all the same, and
// --elsewhere from a call to another place than it came from: neither works.
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOADER "/lib64/ld-linux-x86-64.so.2"
enum { ARCH_SHSTK_ENABLE = 0x5001, ARCH_SHSTK_SHSTK = 1, PAGE = 4096, NOT_HERE = 77 };

static void die(const char* what) {
    perror(what);
    exit(1);
}

static int protection(uint32_t flags) {
    return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

// Where the loader's segments are mapped, which are for one piece of memory.
static char* map_loader(int file, const Elf64_Ehdr* header, const Elf64_Phdr* segments) {
    uint64_t end = 0;
    for (int i = 0; i < header->e_phnum; i++)
        if (segments[i].p_type == PT_LOAD) end = segments[i].p_vaddr + segments[i].p_memsz;
    char* base = mmap(NULL, end, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) die("room for " LOADER);
    for (int i = 0; i < header->e_phnum; i++) {
        const Elf64_Phdr* one = &segments[i];
        if (one->p_type != PT_LOAD) continue;
        const uint64_t in_page = one->p_vaddr % PAGE;
        char* at = base + one->p_vaddr - in_page;
        const uint64_t filled = in_page + one->p_filesz, mapped = (filled + PAGE - 1) & -(uint64_t)PAGE,
                       wanted = in_page + one->p_memsz;
        if (mmap(at, filled, protection(one->p_flags), MAP_PRIVATE | MAP_FIXED, file,
                 (off_t)(one->p_offset - in_page)) == MAP_FAILED)
            die(LOADER);
        if (one->p_flags & PF_W)
            for (char* zero = at + filled; zero < at + mapped; zero++) *zero = 0;
        if (wanted > mapped && mmap(at + mapped, wanted - mapped, protection(one->p_flags),
                                    MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
            die(LOADER);
    }
    return base;
}

// The loader is told that it is the program: it takes the first argument for the one to load then.
static void name_loader(char** environment, const Elf64_Ehdr* header, char* base) {
    while (*environment) environment++;
    for (Elf64_auxv_t* entry = (Elf64_auxv_t*)(environment + 1); entry->a_type != AT_NULL; entry++) {
        if (entry->a_type == AT_PHDR) entry->a_un.a_val = (uint64_t)base + header->e_phoff;
        if (entry->a_type == AT_PHNUM) entry->a_un.a_val = header->e_phnum;
        if (entry->a_type == AT_BASE) entry->a_un.a_val = 0;
        if (entry->a_type == AT_ENTRY) entry->a_un.a_val = (uint64_t)base + header->e_entry;
    }
}

int main(int argc, char** argv, char** environment) {
    if (argc < 2) return 2;
    static char head[PAGE];
    const int file = open(LOADER, O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, head, sizeof head) != sizeof head) die(LOADER);
    const Elf64_Ehdr* header = (const Elf64_Ehdr*)head;
    char* base = map_loader(file, header, (const Elf64_Phdr*)(head + header->e_phoff));
    name_loader(environment, header, base);
    void* entry = base + header->e_entry;
    void* stack = argv - 1;  // begins with the number of arguments
    close(file);
    long failed;
    __asm__ volatile("syscall"
                     : "=a"(failed)
                     : "a"(SYS_arch_prctl), "D"(ARCH_SHSTK_ENABLE), "S"(ARCH_SHSTK_SHSTK)
                     : "rcx", "r11", "memory");
    if (failed) _exit(NOT_HERE);
    if (strcmp(argv[1], "--return") == 0) return 0;
    if (strcmp(argv[1], "--elsewhere") == 0)
        __asm__ volatile("call 1f\n\tud2\n1:\tlea 2f(%%rip), %%rax\n\tmov %%rax, (%%rsp)\n\tret\n2:"
                         :
                         :
                         : "rax", "memory");
    __asm__ volatile("mov %0, %%rsp\n\txor %%edx, %%edx\n\txor %%ebp, %%ebp\n\tjmp *%1"
                     :
                     : "a"(stack), "c"(entry)
                     : "rdx", "memory");
    __builtin_unreachable();
}
