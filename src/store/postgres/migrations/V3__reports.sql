CREATE INDEX request_counts_time ON request_counts (window_start);

-- The usual figures of a report in one row, whatever a source calls them: the income statement, the balance sheet and the cash flow of one
-- period. What is no number is unknown; signs are the source's.
CREATE VIEW fundamentals_usual AS
SELECT i.symbol, (f.fiscal_date AT TIME ZONE 'UTC')::date AS date, f.period, f.source,
       max(f.reported_currency) AS reported_currency,
       max(CASE WHEN f.statement = 'income' AND f.revenue ~* n.number THEN f.revenue::double precision END) AS revenue,
       max(CASE WHEN f.statement = 'income' AND f.gross_profit ~* n.number THEN f.gross_profit::double precision END) AS gross_profit,
       max(CASE WHEN f.statement = 'income' AND f.operating_income ~* n.number THEN f.operating_income::double precision END) AS operating_income,
       max(CASE WHEN f.statement = 'income' AND f.net_income ~* n.number THEN f.net_income::double precision END) AS net_income,
       max(CASE WHEN f.statement = 'income' AND f.eps_diluted ~* n.number THEN f.eps_diluted::double precision END) AS eps_diluted,
       max(CASE WHEN f.statement = 'balance-sheet' AND f.total_assets ~* n.number THEN f.total_assets::double precision END) AS total_assets,
       max(CASE WHEN f.statement = 'balance-sheet' AND f.total_liabilities ~* n.number THEN f.total_liabilities::double precision END) AS total_liabilities,
       max(CASE WHEN f.statement = 'balance-sheet' AND f.total_equity ~* n.number THEN f.total_equity::double precision END) AS total_equity,
       max(CASE WHEN f.statement = 'balance-sheet' AND f.cash ~* n.number THEN f.cash::double precision END) AS cash,
       max(CASE WHEN f.statement = 'balance-sheet' AND f.total_debt ~* n.number THEN f.total_debt::double precision END) AS total_debt,
       max(CASE WHEN f.statement = 'cash-flow' AND f.operating_cash_flow ~* n.number THEN f.operating_cash_flow::double precision END) AS operating_cash_flow,
       max(CASE WHEN f.statement = 'cash-flow' AND f.capital_expenditure ~* n.number THEN f.capital_expenditure::double precision END) AS capital_expenditure,
       max(CASE WHEN f.statement = 'cash-flow' AND f.free_cash_flow ~* n.number THEN f.free_cash_flow::double precision END) AS free_cash_flow,
       max(f.asked_at) AS asked_at, f.fiscal_date, f.instrument_id
FROM instruments i
JOIN (SELECT instrument_id, statement, period, fiscal_date, source, asked_at,
             nullif(fields ->> 'reportedCurrency', 'None') AS reported_currency,
             coalesce(fields ->> 'revenue', fields ->> 'totalRevenue') AS revenue,
             fields ->> 'grossProfit' AS gross_profit,
             fields ->> 'operatingIncome' AS operating_income,
             fields ->> 'netIncome' AS net_income,
             fields ->> 'epsDiluted' AS eps_diluted,
             fields ->> 'totalAssets' AS total_assets,
             fields ->> 'totalLiabilities' AS total_liabilities,
             coalesce(fields ->> 'totalStockholdersEquity', fields ->> 'totalShareholderEquity') AS total_equity,
             coalesce(fields ->> 'cashAndCashEquivalents', fields ->> 'cashAndCashEquivalentsAtCarryingValue') AS cash,
             coalesce(fields ->> 'totalDebt', fields ->> 'shortLongTermDebtTotal') AS total_debt,
             coalesce(fields ->> 'operatingCashFlow', fields ->> 'operatingCashflow') AS operating_cash_flow,
             coalesce(fields ->> 'capitalExpenditure', fields ->> 'capitalExpenditures') AS capital_expenditure,
             fields ->> 'freeCashFlow' AS free_cash_flow
      FROM fundamentals WHERE statement IN ('income', 'balance-sheet', 'cash-flow')) f ON f.instrument_id = i.id
CROSS JOIN (SELECT '^[-+]?([0-9]{1,40}([.][0-9]{0,40})?|[.][0-9]{1,40})(e[-+]?[0-9]{1,2})?$' AS number) n
GROUP BY i.symbol, f.instrument_id, f.period, f.fiscal_date, f.source;
