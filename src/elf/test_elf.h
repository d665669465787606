// SPDX-License-Identifier: Apache-2.0
// Makes small ELF files for tests, whole or broken.
#pragma once

#include <elf.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace waggle::elf {

struct TestSection {
    std::string name;
    std::string bytes;
    std::uint32_t type = SHT_PROGBITS;
    std::uint64_t address = 0;
};

template <typename T>
std::string bytes_of(const T& record) {
    return {reinterpret_cast<const char*>(&record), sizeof(record)};
}

// One loaded segment holds the whole file at kBase; sections follow the header, their table the
// sections.
inline constexpr std::uint64_t kBase = 0x400000;

inline std::string make_elf(std::vector<TestSection> sections) {
    std::string names(1, '\0');
    sections.push_back({.name = ".shstrtab", .bytes = "", .type = SHT_STRTAB});
    std::vector<std::uint32_t> name_offsets;
    for (const TestSection& section : sections) {
        name_offsets.push_back(static_cast<std::uint32_t>(names.size()));
        names.append(section.name).append(1, '\0');
    }
    sections.back().bytes = names;
    std::string body;
    std::string table = bytes_of(Elf64_Shdr{});
    const std::uint64_t start = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
    for (size_t i = 0; i < sections.size(); ++i) {
        Elf64_Shdr header{};
        header.sh_name = name_offsets[i];
        header.sh_type = sections[i].type;
        header.sh_addr = sections[i].address;
        header.sh_offset = start + body.size();
        header.sh_size = sections[i].bytes.size();
        table += bytes_of(header);
        body += sections[i].bytes;
    }
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_phoff = sizeof(Elf64_Ehdr);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    header.e_shoff = start + body.size();
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = static_cast<Elf64_Half>(sections.size() + 1);
    header.e_shstrndx = static_cast<Elf64_Half>(sections.size());
    Elf64_Phdr segment{};
    segment.p_type = PT_LOAD;
    segment.p_vaddr = kBase;
    segment.p_filesz = segment.p_memsz = header.e_shoff + table.size();
    return bytes_of(header) + bytes_of(segment) + body + table;
}

// A section that asks for these libraries, with its string table.
inline std::vector<TestSection> dynamic_sections(const std::vector<std::string>& libraries, std::string symbols = "") {
    std::string strings(1, '\0');
    std::string entries;
    for (const std::string& library : libraries) {
        Elf64_Dyn entry{};
        entry.d_tag = DT_NEEDED;
        entry.d_un.d_val = strings.size();
        entries += bytes_of(entry);
        strings.append(library).append(1, '\0');
    }
    entries += bytes_of(Elf64_Dyn{});
    return {{".dynamic", entries, SHT_DYNAMIC}, {".dynstr", strings + symbols, SHT_STRTAB}};
}

inline std::string varint(size_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
    return bytes + static_cast<char>(value);
}

// What Go 1.18 and later put there.
inline std::string go_build_info(std::string_view version, std::string_view package, std::string_view module) {
    std::string modules(16, '<');
    modules.append("path\t").append(package).append("\nmod\t").append(module).append(
        "\t(devel)\t\nbuild\t-compiler=gc\n");
    modules.append(16, '>');
    std::string bytes("\xff Go buildinf:\x08\x02", 16);
    bytes.append(16, '\0');
    bytes.append(varint(version.size())).append(version);
    return bytes.append(varint(modules.size())).append(modules);
}

// A file with these bytes while it lives.
class TemporaryFile {
  public:
    explicit TemporaryFile(std::string_view bytes) {
        path_ = "/tmp/waggle-elf-XXXXXX";
        const int fd = ::mkstemp(path_.data());
        if (fd >= 0) ::close(fd);
        write(bytes);
    }
    ~TemporaryFile() { ::unlink(path_.c_str()); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    void write(std::string_view bytes) const { std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes; }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace waggle::elf
