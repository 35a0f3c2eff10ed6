// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/dns/resolver.hpp"

namespace gk::dnscheck {

// One record as data: what a zone holds, or should hold.
struct Record {
    std::string name;  // lower case, no dot at the end
    dns::Type type = dns::Type::Txt;
    std::string data;  // as dns::format_rdata writes it: names with a dot at the end, TXT not quoted
    std::uint32_t ttl_s = 3600;

    bool same_as(const Record& other) const noexcept {
        return name == other.name && type == other.type && data == other.data;
    }
};

struct Change {
    enum class Op { Add, Delete };
    Op op = Op::Add;
    Record record;

    bool same_as(const Change& other) const noexcept { return op == other.op && record.same_as(other.record); }
};
std::string_view op_name(Change::Op op) noexcept;  // "add", "delete"

// "mx.a.test. 3600 IN A 192.0.2.1": a line of a master file (RFC 1035, 5.1). TXT in strings of at most 255 octets.
std::string zone_line(const Record& record);
// DATA of that line alone.
std::string zone_data(const Record& record);
// NAME as it stands in such a line, with a dot at the end.
std::string zone_name(std::string_view name);
// {"op":"add","zone":"a.test","name":"a.test","type":"MX","ttl":3600,"data":"10 mx.a.test."}
std::string change_json(const Change& change, std::string_view zone);

// DATA in the one spelling that comparisons need: numbers without zeros in front, names in lower case with a dot, hex
// in lower case. BadInput where it is none of that type.
Result<std::string> canonical_data(dns::Type type, std::string_view data);

// DATA read again.
struct Srv {
    unsigned priority = 0, weight = 0, port = 0;
    std::string target;  // no dot at the end; empty for the root
};
std::optional<Srv> read_srv(std::string_view data);
struct Caa {
    unsigned flags = 0;
    std::string tag, value;  // tag in lower case
};
std::optional<Caa> read_caa(std::string_view data);
struct Ds {
    unsigned tag = 0, algorithm = 0, digest_type = 0;
    std::string digest;  // octets
};
std::optional<Ds> read_ds(std::string_view data);
std::optional<dns::Mx> read_mx(std::string_view data);
std::optional<dns::Tlsa> read_tlsa(std::string_view data);

// RFC 4034, appendix B, and 5.1.4: the key tag of a DNSKEY, and its digest as a DS record has it; empty for a digest
// type that is not known (1 SHA-1, 2 SHA-256, 4 SHA-384).
std::optional<unsigned> key_tag(std::string_view dnskey);
std::string ds_digest(std::string_view owner, std::string_view dnskey, unsigned digest_type);

std::string without_dot(std::string_view name);  // lower case too
std::string with_dot(std::string_view name);

}  // namespace gk::dnscheck
