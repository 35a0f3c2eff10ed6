// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "common/reports/model.hpp"

// Observations of one day, added up to reports: one for each policy domain. Memory is bounded by the number of rows
// that differ, of which ROWS are kept at most, and by the number of policy domains; one organization gets a twentieth
// of either, so that nobody's wildcards crowd out the others. What comes later is only counted.
namespace gk::reports {

constexpr std::size_t kMostPolicyDomains = 20'000;

// How much of both there is, and who has how much.
class Room {
public:
    Room(std::size_t rows, std::size_t domains) : rows_(rows), domains_(domains), shares_{rows, domains} {}
    bool take_row(const std::string& organization) { return take(rows_, shares_.rows, taken_[organization].rows); }
    bool take_domain(const std::string& organization) {
        // Without a domain of its own it is not remembered either.
        if (domains_ == 0) return false;
        return take(domains_, shares_.domains, taken_[organization].domains);
    }

private:
    struct Count {
        std::size_t rows = 0, domains = 0;
    };
    static bool take(std::size_t& left, std::size_t whole, std::size_t& taken) {
        if (left == 0 || taken >= std::max<std::size_t>(1, whole / 20)) return false;
        --left;
        ++taken;
        return true;
    }
    std::size_t rows_, domains_;
    const Count shares_;  // of which each may take a twentieth
    std::map<std::string, Count> taken_;
};

class DmarcDay {
public:
    explicit DmarcDay(std::size_t rows, std::size_t domains = kMostPolicyDomains) : room_(rows, domains) {}
    void add(DmarcObservation observation);
    std::uint64_t without_report() const noexcept { return without_report_; }  // of domains for which there was no room

    struct Group {
        AggregateHead policy;  // the last one seen (RFC 9990, 3.4); domain and what was published
        std::string organizational_domain;
        std::vector<std::string> rua;
        std::vector<AggregateRecord> records;
        std::uint64_t messages = 0;
        std::uint64_t left_out = 0;  // messages for which there was no room
    };
    // By policy domain, of those that ask for reports and had other mail than reports.
    std::map<std::string, Group> take();

private:
    struct Building {
        Group group;
        TimePoint latest{};
        bool only_reports = true;
        std::string organization;                 // as seen first
        std::map<std::string, std::size_t> rows;  // to group.records
    };
    Room room_;
    std::uint64_t without_report_ = 0;
    std::map<std::string, Building> groups_;
};

class TlsDay {
public:
    explicit TlsDay(std::size_t rows, std::size_t domains = kMostPolicyDomains) : room_(rows, domains) {}
    void add(TlsObservation observation);
    std::uint64_t without_report() const noexcept { return without_report_; }  // of domains for which there was no room

    struct Group {
        std::vector<TlsPolicy> policies;
        std::vector<std::string> rua;  // as observed last
        std::uint64_t sessions = 0, left_out = 0;
    };
    std::map<std::string, Group> take();

private:
    struct Building {
        Group group;
        TimePoint latest{};
        bool only_reports = true;
        std::map<std::string, std::size_t> policies;                          // to group.policies
        std::map<std::string, std::pair<std::size_t, std::size_t>> failures;  // to a policy and its details
    };
    Room room_;
    std::uint64_t without_report_ = 0;
    std::map<std::string, Building> groups_;
};

}  // namespace gk::reports
