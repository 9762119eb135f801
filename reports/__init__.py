"""What a run leaves behind: results.json, junit.xml, Allure results, a page, and what the terminal shows."""
