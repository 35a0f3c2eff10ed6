// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/reports/aggregate_xml.hpp"

namespace gk::reports {
namespace {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : clean(text)) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            default: out += c;
        }
    }
    // XML 1.0, 2.2 leaves these two out of its characters.
    out = text::replace_all(out, "\xEF\xBF\xBE", "");
    return text::replace_all(out, "\xEF\xBF\xBF", "");
}

void element(std::string& out, unsigned indent, std::string_view name, std::string_view value) {
    out += fmt::format("{:{}}<{}>{}</{}>\n", "", indent * 2, name, escaped(value), name);
}

void optional_element(std::string& out, unsigned indent, std::string_view name, std::string_view value) {
    if (!value.empty()) element(out, indent, name, value);
}

// VALUE where it is one of WORDS, else FALLBACK.
std::string_view one_of(std::string_view value, std::initializer_list<std::string_view> words,
                        std::string_view fallback) {
    for (const auto word : words)
        if (value == word) return word;
    return fallback;
}

std::string_view policy_word(std::string_view value) { return one_of(value, {"none", "quarantine", "reject"}, ""); }

}  // namespace

std::string format_begin(const AggregateHead& head) {
    std::string out =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n"
        "  <version>1.0</version>\n  <report_metadata>\n";
    element(out, 2, "org_name", head.organization);
    element(out, 2, "email", head.email);
    optional_element(out, 2, "extra_contact_info", head.extra_contact);
    element(out, 2, "report_id", head.report_id);
    out += fmt::format("    <date_range>\n      <begin>{}</begin>\n      <end>{}</end>\n    </date_range>\n",
                       head.begin_s, head.end_s);
    optional_element(out, 2, "error", head.error);
    optional_element(out, 2, "generator", head.generator);
    out += "  </report_metadata>\n  <policy_published>\n";
    element(out, 2, "domain", head.domain);
    optional_element(out, 2, "discovery_method", one_of(head.discovery_method, {"psl", "treewalk"}, ""));
    const auto p = policy_word(head.p);
    element(out, 2, "p", p.empty() ? "none" : p);
    optional_element(out, 2, "sp", policy_word(head.sp));
    optional_element(out, 2, "np", policy_word(head.np));
    optional_element(out, 2, "fo", head.fo);
    optional_element(out, 2, "adkim", one_of(head.adkim, {"r", "s"}, ""));
    optional_element(out, 2, "aspf", one_of(head.aspf, {"r", "s"}, ""));
    optional_element(out, 2, "testing", one_of(head.testing, {"n", "y"}, ""));
    return out + "  </policy_published>\n";
}

std::string format_record(const AggregateRecord& record) {
    std::string out = "  <record>\n    <row>\n";
    element(out, 3, "source_ip", record.source_ip);
    out += fmt::format("      <count>{}</count>\n      <policy_evaluated>\n", record.count);
    element(out, 4, "disposition", one_of(record.disposition, {"none", "pass", "quarantine", "reject"}, "none"));
    element(out, 4, "dkim", record.dkim_aligned ? "pass" : "fail");
    element(out, 4, "spf", record.spf_aligned ? "pass" : "fail");
    for (const auto& reason : record.reasons) {
        out += "        <reason>\n";
        element(
            out, 5, "type",
            one_of(reason.type, {"local_policy", "mailing_list", "policy_test_mode", "trusted_forwarder"}, "other"));
        optional_element(out, 5, "comment", reason.comment);
        out += "        </reason>\n";
    }
    out += "      </policy_evaluated>\n    </row>\n    <identifiers>\n";
    element(out, 3, "header_from", record.header_from);
    element(out, 3, "envelope_from", record.envelope_from);  // empty: the null reverse-path
    optional_element(out, 3, "envelope_to", record.envelope_to);
    out += "    </identifiers>\n    <auth_results>\n";
    for (const auto& dkim : record.dkim) {
        out += "      <dkim>\n";
        element(out, 4, "domain", dkim.domain);
        element(out, 4, "selector", dkim.selector);
        element(
            out, 4, "result",
            one_of(dkim.result, {"none", "pass", "fail", "policy", "neutral", "temperror", "permerror"}, "neutral"));
        out += "      </dkim>\n";
    }
    for (const auto& spf : record.spf) {
        out += "      <spf>\n";
        element(out, 4, "domain", spf.domain);
        // RFC 9990, 3.1.1.12: the MAIL FROM identity is the only one, and where it was empty SPF has put HELO into it.
        element(out, 4, "scope", "mfrom");
        element(out, 4, "result",
                one_of(spf.result, {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}, "none"));
        out += "      </spf>\n";
    }
    return out + "    </auth_results>\n  </record>\n";
}

std::string format_end() { return "</feedback>\n"; }

}  // namespace gk::reports
