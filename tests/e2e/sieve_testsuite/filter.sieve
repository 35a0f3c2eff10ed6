require ["fileinto", "copy", "editheader"];
if header :contains "subject" "[lists]" {
    fileinto "Lists";
    addheader "X-Filtered" "yes";
    redirect :copy "eve@example.net";
    keep;
}
