CREATE INDEX request_counts_time ON request_counts (window_start);

-- The usual figures of a report in one row, whatever a source calls them: the income statement, the balance sheet and the cash flow of one
-- period. What is no number is unknown; signs are the source's.
CREATE VIEW fundamentals_usual AS
SELECT i.symbol, strftime('%Y-%m-%d', f.fiscal_date / 1000000, 'unixepoch') AS date, f.period, f.source,
       max(f.reported_currency) AS reported_currency,
       max(CASE WHEN f.statement = 'income' AND f.revenue GLOB '*[0-9]*' AND f.revenue NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.revenue AS REAL) END) AS revenue,
       max(CASE WHEN f.statement = 'income' AND f.gross_profit GLOB '*[0-9]*' AND f.gross_profit NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.gross_profit AS REAL) END) AS gross_profit,
       max(CASE WHEN f.statement = 'income' AND f.operating_income GLOB '*[0-9]*' AND f.operating_income NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.operating_income AS REAL) END) AS operating_income,
       max(CASE WHEN f.statement = 'income' AND f.net_income GLOB '*[0-9]*' AND f.net_income NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.net_income AS REAL) END) AS net_income,
       max(CASE WHEN f.statement = 'income' AND f.eps_diluted GLOB '*[0-9]*' AND f.eps_diluted NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.eps_diluted AS REAL) END) AS eps_diluted,
       max(CASE WHEN f.statement = 'balance-sheet' AND f.total_assets GLOB '*[0-9]*' AND f.total_assets NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.total_assets AS REAL) END) AS total_assets,
       max(CASE WHEN f.statement = 'balance-sheet' AND f.total_liabilities GLOB '*[0-9]*' AND f.total_liabilities NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.total_liabilities AS REAL) END) AS total_liabilities,
       max(CASE WHEN f.statement = 'balance-sheet' AND f.total_equity GLOB '*[0-9]*' AND f.total_equity NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.total_equity AS REAL) END) AS total_equity,
       max(CASE WHEN f.statement = 'balance-sheet' AND f.cash GLOB '*[0-9]*' AND f.cash NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.cash AS REAL) END) AS cash,
       max(CASE WHEN f.statement = 'balance-sheet' AND f.total_debt GLOB '*[0-9]*' AND f.total_debt NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.total_debt AS REAL) END) AS total_debt,
       max(CASE WHEN f.statement = 'cash-flow' AND f.operating_cash_flow GLOB '*[0-9]*' AND f.operating_cash_flow NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.operating_cash_flow AS REAL) END) AS operating_cash_flow,
       max(CASE WHEN f.statement = 'cash-flow' AND f.capital_expenditure GLOB '*[0-9]*' AND f.capital_expenditure NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.capital_expenditure AS REAL) END) AS capital_expenditure,
       max(CASE WHEN f.statement = 'cash-flow' AND f.free_cash_flow GLOB '*[0-9]*' AND f.free_cash_flow NOT GLOB '*[^-+.0-9eE]*' THEN CAST(f.free_cash_flow AS REAL) END) AS free_cash_flow,
       max(f.asked_at) AS asked_at, f.fiscal_date, f.instrument_id
FROM instruments i
CROSS JOIN (SELECT instrument_id, statement, period, fiscal_date, source, asked_at,
                   nullif(json_extract(fields, '$.reportedCurrency'), 'None') AS reported_currency,
                   coalesce(json_extract(fields, '$.revenue'), json_extract(fields, '$.totalRevenue')) AS revenue,
                   json_extract(fields, '$.grossProfit') AS gross_profit,
                   json_extract(fields, '$.operatingIncome') AS operating_income,
                   json_extract(fields, '$.netIncome') AS net_income,
                   json_extract(fields, '$.epsDiluted') AS eps_diluted,
                   json_extract(fields, '$.totalAssets') AS total_assets,
                   json_extract(fields, '$.totalLiabilities') AS total_liabilities,
                   coalesce(json_extract(fields, '$.totalStockholdersEquity'), json_extract(fields, '$.totalShareholderEquity')) AS total_equity,
                   coalesce(json_extract(fields, '$.cashAndCashEquivalents'), json_extract(fields, '$.cashAndCashEquivalentsAtCarryingValue')) AS cash,
                   coalesce(json_extract(fields, '$.totalDebt'), json_extract(fields, '$.shortLongTermDebtTotal')) AS total_debt,
                   coalesce(json_extract(fields, '$.operatingCashFlow'), json_extract(fields, '$.operatingCashflow')) AS operating_cash_flow,
                   coalesce(json_extract(fields, '$.capitalExpenditure'), json_extract(fields, '$.capitalExpenditures')) AS capital_expenditure,
                   json_extract(fields, '$.freeCashFlow') AS free_cash_flow
            FROM fundamentals WHERE statement IN ('income', 'balance-sheet', 'cash-flow')) f ON f.instrument_id = i.id
GROUP BY i.symbol, f.instrument_id, f.period, f.fiscal_date, f.source;
