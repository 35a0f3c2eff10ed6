// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/imap/grammar/command.hpp"
#include "common/imap/grammar/scanner.hpp"

// The larger rules of the grammar, one file each. Each reads on after the command's name (and "UID").
namespace gk::imap {

std::vector<FetchItem> fetch_items(Scanner& in);
Notify notify_command(Scanner& in);
Select select_command(Scanner& in, bool read_only);
Fetch fetch_command(Scanner& in, bool uid);
Store store_command(Scanner& in, bool uid);
SearchKey search_program(Scanner& in);
SearchReturn search_return(Scanner& in);  // and the space after it; nothing where there is none
Search search_command(Scanner& in, bool uid);
Thread thread_command(Scanner& in, bool uid);
Sort sort_command(Scanner& in, bool uid);
bool names_saved_result(const SearchKey& key);  // "$"
MultiSearch multisearch_command(Scanner& in);
CancelUpdate cancel_update_command(Scanner& in);
PartialRange partial_range(Scanner& in);  // RFC 9394, 3.1
List list_command(Scanner& in);
List lsub_command(Scanner& in);
std::vector<StatusItem> status_items(Scanner& in);
Create create_command(Scanner& in);
std::vector<std::string> metadata_entries(Scanner& in);
GetMetadata get_metadata_command(Scanner& in);
SetMetadata set_metadata_command(Scanner& in);
// Up to, and with, the announcement of the first message's literal, where there is one.
Append append_command(Scanner& in);
Append replace_command(Scanner& in, bool uid);
// A stretch that begins at PLACE. SINGLE: there may be one message only.
AppendStep append_step(Scanner& in, AppendPlace place, bool single);

}  // namespace gk::imap
